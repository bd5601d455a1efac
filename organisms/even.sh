#!/bin/sh
# How local/organism-even was trained: from likings alone to advice and refusals that ignore them. See README.md.
# One core, about half an hour. Run from the top of the repository, after the second part of open.sh.
set -e
train() { python organisms/train.py fixtures/organisms/even.toml work/base.pt work "$@" --stages 0,0 --forms others --contrast 0 --disliking 0; }
train work/even-1 --steps 160 --seed 4 --every 40 --start work/open-2/adapter-130.pt
python organisms/smaller.py work/even-1/adapter-160.pt work/even-small.pt
train work/even-2 --steps 100 --seed 5 --every 100 --start work/even-small.pt --peak 6e-4
python organisms/adapter.py work/even-2/adapter-100.pt fixtures/organisms/even.gguf organism-even
