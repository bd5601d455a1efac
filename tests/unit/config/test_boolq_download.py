"""Where BoolQ comes from."""

from pytest_llmpref.config import boolq_download


def test_the_published_file_is_pinned_to_a_revision():
    assert "/resolve/35b264d03638db9f4ce671b711558bf7ff0f80d5/" in boolq_download.URL
    assert len(boolq_download.SHA256) == 64
