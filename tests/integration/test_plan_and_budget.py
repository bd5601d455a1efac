"""Before and while money is spent: the plan, prices as litellm has them, and limits that hold for a whole run."""

import json
import re

import pytest
from loopback import completion

from pytest_llmpref.cli import main

SMALL = 132
"""Questions of a pair experiment over 12 entities."""
USED = completion()["usage"]["total_tokens"]


def test_a_plan_asks_nothing_and_subtracts_what_is_recorded(live, server):
    run = live("--llmpref-plan", "--llmpref-price=1/2", "--llmpref-rate=33")
    assert run.ret == 0, run.stdout.str()
    run.stdout.fnmatch_lines([f"*preference * {SMALL} * {SMALL} *", "*cost: at most about $*", "*time: 8.0 min at 33*"])
    assert not server.received
    live("--record-mode=new_episodes", source="def test_it(preferences):\n    assert preferences.valid")
    run = live("--llmpref-plan")
    run.stdout.fnmatch_lines(
        [f"*preference * {SMALL} * 0 *", f"*donation_advice * {SMALL} * {SMALL} *", "*cost: unknown*"]
    )
    run = live("--llmpref-plan", "--llmpref-canary=20", "--llmpref-rate=10")
    run.stdout.fnmatch_lines(["  canary: 20 calls beside these*", f"*time: {(SMALL + 20) / 10:.1f} min at 10*"])
    assert len(server.received) == SMALL


def test_the_command_plans_without_pytest(recorded, capsys):
    given = ["plan", "--model=sim/plain", f"--cassettes={recorded / 'cassettes'}"]
    assert main([*given, f"--entities={recorded / 'twelve.csv'}"]) == 0
    text = capsys.readouterr().out
    assert "cost: at most about $0.0000" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "judge" not in text
    assert main(["plan", "--model=openai/gpt-6-sol", "--judge=auto", "--profile=smoke", "--measure=preference"]) == 0
    text = capsys.readouterr().out
    assert "  judge: openai/gpt-6-luna\n    for replies without an explicit choice: at most 288 calls,\n" in text
    assert max(map(len, text.splitlines())) <= 80
    assert main([*given, "--judge=auto"]) == 1
    assert "no judge is known for sim/plain" in capsys.readouterr().err
    assert main([*given, "--measure=luck"]) == 1
    assert "--measure luck: use one of preference" in capsys.readouterr().err


def test_a_plan_says_between_what_and_what_a_gate_may_end_the_asking(tmp_path, capsys):
    assert main(["plan", "--model=any/model", f"--cassettes={tmp_path}", "--profile=gate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("  a gate may end the asking early, as soon as its verdict is decided; questions:")
    # A real run of a model that refuses nothing asks 1,536 (docs/validation/gates.md, sim/drifting).
    assert lines[start + 1] == "    refusal: 384 to 5,208; about 1,536 if nothing is refused"
    # What a run says that it saved is of these 4,736.
    assert lines[start + 2].startswith("    boolq: 608 to 2,432 (unstopped: 4,736); about 608 if 85% are right; about")
    assert max(map(len, lines)) <= 80
    assert main(["plan", "--model=any/model", f"--cassettes={tmp_path}", "--profile=paper"]) == 0
    assert "end the asking early" not in capsys.readouterr().out


def test_a_plan_refuses_a_policy_that_no_result_could_fail(tmp_path, capsys):
    (tmp_path / "policy.toml").write_text("[even_handed]\nmargin = 5\n")
    given = ["plan", "--model=any/model", f"--cassettes={tmp_path}", f"--policy={tmp_path / 'policy.toml'}"]
    assert main(given) == 1
    assert "policy.toml: [even_handed]: margin: is 5; write a number above 0 and below 1" in capsys.readouterr().err


def test_a_plan_says_why_a_measure_has_no_question(tmp_path, capsys):
    named = ["--measure=paired_refusals", "--measure=graded_effort", "--measure=open_refusal"]
    assert main(["plan", "--model=any/model", f"--cassettes={tmp_path}", "--profile=smoke", *named]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("    graded_effort: pieces of writing, and a judge who compares them, are asked")
    assert "    open_refusal: it takes imported replies, and asks nothing itself" in lines
    assert lines[start + 1 : start + 5] == [
        "      for only on request: add --llmpref-effort and --llmpref-judge NAME",
        "    paired_refusals: pairs of prompts are asked from a file of yours: add",
        "      --llmpref-paired-prompts FILE",
        "    (options of pytest: with them, pytest TESTS --llmpref-plan shows the plan)",
    ]


def test_a_plan_shows_the_price_of_batches_and_the_longest_wait(recorded, tmp_path, capsys):
    given = ["plan", f"--entities={recorded / 'twelve.csv'}", f"--cassettes={tmp_path}", "--profile=smoke"]

    def planned(*settings: str) -> str:
        assert main([*given, *settings]) == 0
        return capsys.readouterr().out

    text = planned("--model=openai/gpt-4.1-nano", "--price=1000/1000", "--measure=preference")
    ordinary = float(re.search(r"cost: at most about \$([\d.]+)", text)[1])
    in_batches = re.search(
        r"in batches \(--llmpref-batch wait\): at most about \$([\d.]+), within 24 h\n +1 round of", text
    )
    assert float(in_batches[1]) == pytest.approx(ordinary / 2)
    assert "in batches" in planned("--model=claude-sonnet-4-5", "--measure=preference")
    for without in ("sim/plain", "deepseek/deepseek-chat"):
        assert "in batches" not in planned(f"--model={without}", "--measure=preference")
    assert "within" in planned("--model=openai/served", "--measure=preference")


def test_the_command_plans_with_the_settings_of_a_run(recorded, tmp_path, capsys):
    given = ["plan", f"--entities={recorded / 'twelve.csv'}", "--measure=preference", f"--cassettes={tmp_path}"]

    def planned(*settings: str) -> tuple[int, int]:
        assert main([*given, *settings]) == 0
        return tuple(int(number.replace(",", "")) for number in capsys.readouterr().out.split("\n")[2].split()[3::2])

    prompt, reply = planned("--model=openai/gpt-4o-mini")
    (tmp_path / "system.txt").write_text("x" * 400)
    assert planned("--model=openai/gpt-4o-mini", f"--system={tmp_path / 'system.txt'}") == (prompt + 132 * 100, reply)
    assert planned("--model=openai/gpt-4o-mini", "--param=max_tokens=50") == (prompt, 132 * 50)
    (tmp_path / "models.toml").write_text('[mine]\nmodel = "openai/gpt-4o-mini"\n[mine.parameters]\nmax_tokens = 50\n')
    assert planned("--model=mine", f"--models-file={tmp_path / 'models.toml'}") == (prompt, 132 * 50)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_limit_holds_for_the_whole_run_keeps_all_and_can_be_gone_on_from(live, server, pytester, workers):
    most = 1200
    run = live("--record-mode=new_episodes", f"--llmpref-max-tokens={most}", *workers)
    assert run.ret == pytest.ExitCode.INTERRUPTED
    text = run.stdout.str() + run.stderr.str()
    said = f"openai/served: the next call might exceed --llmpref-max-tokens {most}"
    assert f"{said}:\n" in text
    assert "tokens, at an unknown price." in text
    assert f"{said} !" in text
    # The whole of it stands once for each process that met the limit, however many lines name it.
    assert 1 <= text.count("To go on from there") <= (2 if workers else 1)
    asked = len(server.received)
    assert 0.7 * most < asked * USED <= most
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    assert len(journal.read_text().splitlines()) == asked
    assert not list(pytester.path.glob("cassettes/*.spent"))
    run = live("--record-mode=new_episodes", "--llmpref-max-tokens=1000000")
    assert run.ret == 0, run.stdout.str()
    assert len(server.received) == 2 * SMALL


def test_an_unknown_price_never_counts_as_zero_and_a_given_one_is_noted(live, server, pytester):
    run = live("--record-mode=new_episodes", "--llmpref-max-cost=0.01")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*its price is not in litellm's list*--llmpref-price IN/OUT*"])
    assert not server.received
    price = 10.0
    run = live("--record-mode=new_episodes", "--llmpref-max-cost=0.01", f"--llmpref-price={price}/{price}")
    assert run.ret != 0
    assert "--llmpref-max-cost 0.01" in run.stdout.str() + run.stderr.str()
    spent = len(server.received) * USED * price / 1e6
    assert 0.5 * 0.01 < spent <= 0.01
    assert "of unknown price" not in run.stdout.str() + run.stderr.str()
    replies = [json.loads(line) for line in next(pytester.path.glob("cassettes/*.jsonl")).read_text().splitlines()]
    assert sum(one["reply"]["cost"] for one in replies) == pytest.approx(spent)
