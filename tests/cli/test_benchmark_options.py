"""Options of `rma-mamba benchmark`."""


def test_runs_and_seeds_together_are_one_line(command) -> None:
    done = command("benchmark", "chaos_mini", "--runs", "2", "--seeds", "1,2")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "Omit --runs or --seeds" in done.err
