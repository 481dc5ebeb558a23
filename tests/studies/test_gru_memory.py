"""The study of starts for the lag: its runs are those of the long-memory study, its rates lie inside those tried."""

from unrolled.studies import gru_memory, long_memory


def test_a_run_is_one_of_the_long_memory_study():
    arguments = {"task": "copy", "model": "GRU chrono", "lag": 5, "seed": 3, "learning_rate": 0.01, "updates": 25}
    assert gru_memory.run(**arguments) == long_memory.run(**arguments)


def answer(run):
    """A made result: the nearer the rate is to 0.09, the lower the loss."""
    return run | {"solved": False, "updates": 100, "loss": abs(run["learning_rate"] - 0.09)}


def test_rates_are_tried_beyond_the_edge_and_then_the_seeds_are_scored():
    rows = []
    while more := gru_memory.runs(rows=rows):
        rows += map(answer, more)
    for task, lag in gru_memory.TASKS.items():
        for model in gru_memory.MODELS:
            assert max(long_memory.tried(rows, task, model, lag)) > 0.09
            assert [row["seed"] for row in gru_memory.scored(rows, task, model)] == list(gru_memory.SEEDS)
            assert {row["learning_rate"] for row in gru_memory.scored(rows, task, model)} == {0.09}
