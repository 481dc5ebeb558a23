"""The studies' runs: the same arguments give the same result, and an impossible one is refused."""

import pytest

from unrolled.studies import adding_optimizers, late_clue, reading


@pytest.mark.parametrize("run", [
    lambda: reading.run(16, 5, 0, 0.01),
    lambda: adding_optimizers.run("SGD", 0.01, 0, 50),
    lambda: late_clue.run(0, 20),
], ids=["reading", "adding_optimizers", "late_clue"])
def test_the_same_arguments_give_the_same_result(run):
    assert run() == run()


def test_the_clue_is_looked_at_before_training_and_after_every_twentieth_update():
    row = late_clue.run(3, 40)
    assert [len(row[name]) for name in ("accuracy", "gradient", "radius", "norm")] == [2, 3, 3, 3]
    assert all(radius <= norm for radius, norm in zip(row["radius"], row["norm"]))
    with pytest.raises(ValueError, match="a multiple of 20, got 30"):
        late_clue.run(0, 30)


def test_a_run_that_diverges_says_so():
    assert adding_optimizers.run("SGD", 1e6, 0, 50)["loss"] == [None]
