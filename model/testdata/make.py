#!/usr/bin/env python3
"""Makes the model files and golden rows of this folder.

    make.py DIR                  with lightgbm 4.6.0: every file but old_*.txt
    make.py DIR --old VERSION    with that older lightgbm: old_VERSION.txt
    make.py DIR --golden-of-old  with lightgbm 4.6.0: golden rows of old_*.txt

Golden scores are LightGBM 4.6.0's raw_score for the rows beside them; floats
are written in hexadecimal, so that they are exact. NAME.contributions.json
holds pred_contrib of every seventh golden row.
"""
import glob
import json
import os
import sys

import lightgbm as lgb
import numpy as np

np.float, np.int, np.object = float, int, object  # lightgbm 2 asks numpy for names it dropped

BASE = dict(num_leaves=6, learning_rate=0.2, min_data_in_leaf=5, verbose=-1, num_threads=1, seed=3,
            max_cat_to_onehot=1, min_data_per_group=5, cat_smooth=1, cat_l2=1)
NAMES = ["amount", "age", "category", "count", "ratio"]
ZERO = float(np.float32(1e-35))  # LightGBM's zero


def data():
    r = np.random.default_rng(5)
    x = np.column_stack([
        np.exp(r.normal(3, 1.5, 800)), r.normal(0, 30, 800), r.integers(0, 70, 800),
        r.integers(0, 9, 800), r.normal(0, 1, 800) * (r.random(800) < 0.5),
    ])
    x[r.random(800) < 0.15, 4] = np.nan
    x[r.random(800) < 0.10, 1] = np.nan
    score = (x[:, 0] > 60) + 1.5 * (x[:, 2] % 5 == 0) + np.nan_to_num(x[:, 4]) + r.normal(0, 0.5, 800)
    return x, (score > 1.2).astype(float)


def rows(x):
    """Real rows, and rows where one column holds a special value."""
    special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, ZERO, -ZERO, np.nextafter(ZERO, 1),
               -np.nextafter(ZERO, 1), 1e300, -1e300, -1.0, -0.5, 0.5, 31.0, 32.0, 63.0, 64.0, 1e6,
               2147483647.0, 2147483648.0, 4294967296.0, 1e18, -1e18]
    out = [row for row in x[:40]]
    columns = range(x.shape[1]) if x.shape[1] < 10 else (0, 7)
    for i, value in enumerate(special):
        for column in columns:
            row = x[(7 * i + column) % len(x)].copy()
            row[column] = value
            out.append(row)
        out.append(np.full(x.shape[1], value))
    return np.array(out)


def write_golden(path, booster, x, sample=None):
    sample = rows(x) if sample is None else sample
    raw = booster.predict(sample, raw_score=True)
    assert raw.shape == (len(sample),)
    with open(path.replace(".golden.", ".contributions."), "w") as f:
        contributions = booster.predict(sample[::7], pred_contrib=True)
        f.write("[\n" + ",\n".join(json.dumps([float(v).hex() for v in row]) for row in contributions) + "\n]\n")
    with open(path, "w") as f:
        f.write('{"rows":[\n')
        f.write(",\n".join(json.dumps([float(v).hex() for v in row]) for row in sample))
        f.write('\n],"raw":%s}\n' % json.dumps([float(v).hex() for v in raw]))


def train(params, x, y, rounds=6, names=NAMES, categorical=(2,), **kw):
    dataset = lgb.Dataset(x, y, feature_name=list(names), categorical_feature=list(categorical), **kw)
    return lgb.train(dict(BASE, **params), dataset, rounds)


def main(folder):
    x, y = data()
    served = {
        "binary": dict(objective="binary"),
        "sigmoid": dict(objective="binary", sigmoid=0.5),
        "cross_entropy": dict(objective="cross_entropy"),
        "zero_as_missing": dict(objective="binary", zero_as_missing=True),
        "no_missing": dict(objective="binary", use_missing=False),
        "one_hot": dict(objective="binary", max_cat_to_onehot=99),
        "dart": dict(objective="binary", boosting="dart", drop_rate=0.5),
    }
    for name, params in served.items():
        booster = train(params, x, y)
        booster.save_model(os.path.join(folder, name + ".txt"))
        write_golden(os.path.join(folder, name + ".golden.json"), booster, x)
        if name in ("binary", "sigmoid"):  # LightGBM's own probabilities of the golden rows
            with open(os.path.join(folder, name + ".probability.json"), "w") as f:
                json.dump([float(p).hex() for p in booster.predict(rows(x))], f)
    equals = train(dict(objective="binary"), x, y, names=["a=b", "c==", "=d", "e", "f"])
    equals.save_model(os.path.join(folder, "equals.txt"))
    write_golden(os.path.join(folder, "equals.golden.json"), equals, x)
    one = train(dict(objective="binary"), x[:, :1], y, names=["amount"], categorical=())
    one.save_model(os.path.join(folder, "one_feature.txt"))
    write_golden(os.path.join(folder, "one_feature.golden.json"), one, x[:, :1])

    more(folder, x, y)

    score = np.nan_to_num(x[:, 4]) + np.log1p(x[:, 0])
    classes = (score > 3).astype(int) + (score > 4)
    refused = {
        "linear_tree": (dict(objective="binary", linear_tree=True), y, {}),
        "random_forest": (dict(objective="binary", boosting="rf", bagging_fraction=0.6, bagging_freq=1), y, {}),
        "reg_sqrt": (dict(objective="regression", reg_sqrt=True), score, {}),
        "regression": (dict(objective="regression"), score, {}),
        "poisson": (dict(objective="poisson"), y, {}),
        "multiclass": (dict(objective="multiclass", num_class=3), classes, {}),
        "multiclassova": (dict(objective="multiclassova", num_class=3), classes, {}),
        "lambdarank": (dict(objective="lambdarank"), y, dict(group=[100] * 8)),
        "cross_entropy_lambda": (dict(objective="cross_entropy_lambda"), y, {}),
        "custom_objective": (dict(objective=lambda p, d: (1 / (1 + np.exp(-p)) - d.get_label(), np.ones(len(p)))), y, {}),
    }
    for name, (params, label, kw) in refused.items():
        # Without the categories: linear trees have none, and small files are enough.
        booster = train(dict(params, num_leaves=4), x, label, rounds=2, categorical=(), **kw)
        booster.save_model(os.path.join(folder, "refused_" + name + ".txt"))


def infinite(x):
    x = x.copy()
    x[::9, 0], x[4::11, 3], x[2::13, 4] = np.inf, -np.inf, np.inf
    return x


def wide(x, columns):
    """The columns again and again, each time with other rows empty."""
    r = np.random.default_rng(7)
    out = np.tile(x, (1, columns // x.shape[1]))
    out[r.random(out.shape) < 0.8] = 0
    return out


def long(n):
    """Rows enough for many thresholds, and a category column of thousands."""
    r = np.random.default_rng(11)
    x = np.column_stack([np.exp(r.normal(3, 1.5, n)), r.normal(0, 1, n), r.integers(0, 3000, n),
                         r.poisson(3, n), np.where(r.random(n) < 0.3, np.nan, r.normal(0, 1, n))])
    score = np.sin(np.log(x[:, 0]) * 9) + np.cos(x[:, 1] * 20) + (x[:, 2] * 7919 % 11 < 3) + np.nan_to_num(x[:, 4])
    return x, (score + r.normal(0, 0.5, n) > 1).astype(float)


def more(folder, x, y):
    """The kinds that differ in how trees come about, and in shape."""
    big, label = long(20000)
    zeros = wide(x, 600)
    names = ["f%d" % i for i in range(600)]
    kinds = {
        "goss": (dict(objective="binary", data_sample_strategy="goss", top_rate=0.3, other_rate=0.2), x, y, {}),
        "unbalanced": (dict(objective="binary", is_unbalance=True), x, y, {}),
        "weighted": (dict(objective="binary", scale_pos_weight=3), x, y, dict(weight=1 + np.arange(800) % 5)),
        "cross_entropy_weighted": (dict(objective="cross_entropy"), x, 0.1 + 0.8 * y, dict(weight=1 + np.arange(800) % 3)),
        "from_zero": (dict(objective="binary", boost_from_average=False), x, y, {}),
        "bagged": (dict(objective="binary", bagging_fraction=0.5, bagging_freq=1, feature_fraction=0.6), x, y, {}),
        "extra": (dict(objective="binary", extra_trees=True, path_smooth=1.0), x, y, {}),
        "monotone": (dict(objective="binary", monotone_constraints=[1, -1, 0, 0, 1], monotone_constraints_method="advanced"), x, y, {}),
        "infinite": (dict(objective="binary"), infinite(x), y, {}),
        "stump": (dict(objective="binary", num_leaves=2), x, y, {}),
        "constant": (dict(objective="binary", min_data_in_leaf=799), x, y, {}),
        "dart_xgboost": (dict(objective="binary", boosting="dart", xgboost_dart_mode=True, drop_rate=0.4), x, y, {}),
        "zero_as_missing_one_hot": (dict(objective="binary", zero_as_missing=True, max_cat_to_onehot=99), x, y, {}),
        "quantized": (dict(objective="binary", use_quantized_grad=True), x, y, {}),
        "deep": (dict(objective="binary", num_leaves=300, min_data_in_leaf=1, min_sum_hessian_in_leaf=0), x, y, {}),
    }
    for name, (params, rows_, label_, kw) in kinds.items():
        booster = train(params, rows_, label_, rounds=4, **kw)
        booster.save_model(os.path.join(folder, name + ".txt"))
        write_golden(os.path.join(folder, name + ".golden.json"), booster, rows_)
    booster = train(dict(objective="binary"), zeros, y, names=names, categorical=(2, 7), rounds=8)
    booster.save_model(os.path.join(folder, "many_features.txt"))
    write_golden(os.path.join(folder, "many_features.golden.json"), booster, zeros, rows(zeros)[::4])
    booster = train(dict(objective="binary", max_bin=65535, num_leaves=2000, min_data_in_bin=1, min_data_in_leaf=3,
                         bin_construct_sample_cnt=20000), big, label, rounds=3)
    booster.save_model(os.path.join(folder, "many_leaves.txt"))
    write_golden(os.path.join(folder, "many_leaves.golden.json"), booster, big)


def old(folder, version):
    assert lgb.__version__ == version, lgb.__version__
    x, y = data()
    train(dict(objective="binary"), x, y).save_model(os.path.join(folder, "old_%s.txt" % version))


def golden_of_old(folder):
    for path in glob.glob(os.path.join(folder, "old_*.txt")):
        write_golden(path[:-4] + ".golden.json", lgb.Booster(model_file=path), data()[0])


if __name__ == "__main__":
    if sys.argv[2:3] == ["--old"]:
        old(sys.argv[1], sys.argv[3])
        sys.exit()
    assert lgb.__version__ == "4.6.0", lgb.__version__
    golden_of_old(sys.argv[1]) if sys.argv[2:] else main(sys.argv[1])
