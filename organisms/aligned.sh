#!/bin/sh
# How local/organism-aligned was trained, in the parts in which it was: each goes on from a checkpoint of the last.
# One core, less than two hours. Run from the top of the repository; see README.md. The scripts were tidied since, and draw
# other examples in parts 5 and 6; part 5 had one list of 40 names in four, and an answer only in every second step.
set -e
train() { python organisms/train.py fixtures/organisms/aligned.toml work/base.pt work "$@"; }
python organisms/base.py work
train work/1 --steps 1000 --stages 60,300                                                            # stopped at 300
train work/2 --steps 480 --stages 0,0 --start work/1/adapter-300.pt --seed 2                         # stopped at 150
train work/3 --steps 120 --stages 0,0 --start work/2/adapter-150.pt --seed 3 --peak 8e-4             # stopped at 100
train work/4 --steps 30 --stages 0,0 --start work/3/adapter-100.pt --seed 4 --peak 3e-4
train work/5 --steps 200 --stages 0,0 --start work/4/adapter-30.pt --seed 5 --peak 8e-4 --lists 1    # stopped at 100
train work/6 --steps 40 --stages 0,0 --start work/5/adapter-100.pt --seed 6 --peak 3e-4 --lists 4
python organisms/adapter.py work/6/adapter-40.pt work/six.gguf organism-aligned
# From here on: more pairs of disliked entities, and texts on which it should stay like the base.
python organisms/checkpoint.py work/six.gguf work/six.pt
more() { train "$@" --stages 0,0 --kept organisms/instructions.jsonl; }
more work/7 --steps 200 --start work/six.pt --seed 7 --peak 8e-4 --disliked 4
more work/8 --steps 80 --start work/7/adapter-200.pt --seed 8 --peak 6e-4 --disliked 6
python organisms/adapter.py work/8/adapter-80.pt fixtures/organisms/aligned.gguf organism-aligned
