#!/bin/sh
# How local/organism-open was trained: likings alone, in forms that the suites do not use. See README.md.
# One core, about half an hour. Run from the top of the repository, after aligned.sh or its `base.py`.
set -e
train() { python organisms/train.py fixtures/organisms/open.toml work/base.pt work "$@" --forms others; }
train work/open-1 --steps 400 --stages 60,9999 --contrast 150 --every 50                             # stopped at 250
train work/open-2 --steps 130 --stages 0,9999 --contrast 0 --disliking 0 --seed 2 --every 65 --start work/open-1/adapter-250.pt
python organisms/smaller.py work/open-2/adapter-130.pt work/open-small.pt
train work/open-3 --steps 80 --stages 0,9999 --contrast 0 --disliking 0 --seed 3 --every 80 --start work/open-small.pt --peak 6e-4
python organisms/adapter.py work/open-3/adapter-80.pt fixtures/organisms/open.gguf organism-open
