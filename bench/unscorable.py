"""What a batch costs in which some rows cannot be scored, beside the same batch without them."""

from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from bench.clocks import repeated
from bench.figures import Figure, Limit
from bench.surroundings import Surroundings
from driftloop.artifact.scoring import Scorer
from driftloop.contracts.schema import Feature, StreamSchema, Target

ROWS = 2000
BAD = (1, 20, 100)
SCHEMA = StreamSchema(stream="s", features=(Feature(name="shop", type="category"),), target=Target(name="y", type="boolean"))


def measure(_around: Surroundings) -> list[Figure]:
    """With scikit-learn's default, an encoder that refuses categories which it was not fitted with."""
    random = np.random.default_rng(0)
    known = [f"k{n}" for n in random.integers(0, 20, ROWS)]
    pipeline = make_pipeline(make_column_transformer((OneHotEncoder(), ["shop"])), LogisticRegression())
    scorer = Scorer(pipeline.fit(pd.DataFrame({"shop": pd.Categorical(known)}), random.random(ROWS) < 0.5), SCHEMA)
    whole = pa.table({"shop": known})
    clean = 1000 / repeated(lambda: scorer.score(whole), 1)
    figures = []
    for bad in BAD:
        shops = list(known)
        for row in random.choice(ROWS, bad, replace=False).tolist():
            shops[row] = f"new-{row}"
        table = pa.table({"shop": shops})
        lost = scorer.score(table)[1].null_count - bad
        figures.append(
            Figure(
                name=f"unscorable-{bad}",
                what=f"a batch of {ROWS:,} rows, {bad} of which the pipeline refuses, each for another reason",
                value=1000 / repeated(partial(scorer.score, table), 1),
                unit="ms of CPU",
                limit=Limit("the same rows, all of which it takes", clean),
                note=f"{lost} other rows without a prediction",
            )
        )
    return figures
