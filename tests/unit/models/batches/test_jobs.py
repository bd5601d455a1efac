"""The file of jobs: nothing is forgotten, and nobody takes a question twice."""

import pytest

from pytest_llmpref.models.batches.jobs import JobFile, JobFileError, Question, job_files
from pytest_llmpref.models.chat import Message, Request

REQUEST = Request("openai/x", (Message("user", "Which?"),), 1.0, 9)


@pytest.fixture
def file(tmp_path):
    return JobFile(tmp_path / "openai--x.batches")


def write(file, token, *keys):
    with file.locked():
        return file.write(token, "openai/x", "openai", [Question(key, REQUEST) for key in keys])


def test_a_job_is_known_to_all_who_read_the_file(file):
    job = write(file, "one", "a", "b")
    other = JobFile(file.path)
    other.reload()
    assert other.jobs["one"].written == job.written
    assert not other.jobs["one"].id
    file.submitted(job, "batch_1")
    file.ended(job, "ended", "completed")
    other.reload()
    assert (other.jobs["one"].id, other.jobs["one"].how, other.jobs["one"].said) == ("batch_1", "ended", "completed")
    assert job_files(file.path.parent)[file.path].jobs.keys() == {"one"}


def test_the_latest_job_of_a_question_counts(file):
    write(file, "one", "a", "b")
    write(file, "two", "b", "c")
    assert [file.latest(key).token for key in "abc"] == ["one", "two", "two"]
    assert file.latest("d") is None


def test_whoever_writes_first_holds(file):
    job = write(file, "one", "a")
    other = JobFile(file.path)
    other.reload()
    file.submitted(job, "batch_1")
    other.submitted(other.jobs["one"], "batch_2")
    file.reload()
    assert file.jobs["one"].id == other.jobs["one"].id == "batch_1"


def test_a_line_that_a_kill_cut_off_is_left_out_and_written_over(file):
    write(file, "one", "a")
    with file.path.open("ab") as cut:
        cut.write(b'{"line":"written","job":"tw')
    again = JobFile(file.path)
    write(again, "three", "b")
    file.reload()
    assert file.jobs.keys() == {"one", "three"}
    assert b"tw" not in file.path.read_bytes().replace(b"written", b"")


def test_another_line_is_an_error_that_names_it(file):
    write(file, "one", "a")
    with file.path.open("ab") as other:
        other.write(b'{"line":"submitted","job":"unknown","id":"batch_1"}\n')
    with pytest.raises(JobFileError, match=r"openai--x\.batches:2: .*restore the file"):
        JobFile(file.path).reload()
