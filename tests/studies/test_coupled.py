"""The study of coupled gates: repeatable, each network at its own best rate, and that rate not at the edge."""

from unrolled.studies import coupled


def test_the_same_arguments_give_the_same_bits():
    arguments = {"model": "LSTM, coupled", "learning_rate": 0.03, "first": 0, "seeds": 2, "updates": 25}
    row = coupled.run(**arguments)
    assert coupled.run(**arguments) == row
    assert {key: row[key] for key in arguments} == arguments
    assert len(row["accuracy"]) == len(row["solved"]) == 2


def test_runs_end_with_the_scored_seeds_at_the_best_rate():
    rows = []
    while more := coupled.runs(rows=rows):
        rows += [run | {"accuracy": [1 - abs(0.3 - run["learning_rate"])] * run["seeds"], "solved": [None]}
                 for run in more]
    for model in coupled.MODELS:
        assert coupled.scored(rows, model)["learning_rate"] == 0.3
        assert max(coupled.tuned(rows, model)) > 0.3
