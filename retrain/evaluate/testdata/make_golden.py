#!/usr/bin/env python3
"""Makes golden.json: a small test set and what every metric of package evaluate must say about it.

Plain Python, written from the definitions and as slowly as they read (pairs, thresholds one by one, all pairs of
thresholds), so that it shares no idea with the Go code. Run: python3 make_golden.py > golden.json
"""
import json, math, random

DAY = 86_400_000_000
START = 1_533_686_400_000_000  # 2018-08-08


def make():
    rng = random.Random(20180808)
    rows = []
    for _ in range(420):
        t = START + rng.randrange(6 * DAY)
        entity = rng.randrange(45) if rng.random() > .03 else -1
        fraud = rng.random() < .12
        raw = round(rng.gauss(1.2 if fraud else -.6, 1.3) * 4) / 4  # quarters: many ties
        p = min(1.0, max(0.0, round(1 / (1 + math.exp(-raw - rng.gauss(0, .3))), 3)))
        amount = round(rng.expovariate(1 / (90 if fraud else 40)), 2)
        rows.append((t, entity, fraud, raw, p, amount))
    rows.sort(key=lambda r: r[0])
    return rows


def auc(y, s):
    won = sum((a > b) + .5 * (a == b) for a, ya in zip(s, y) if ya for b, yb in zip(s, y) if not yb)
    return won / (sum(y) * (len(y) - sum(y)))


def counts(y, s, t):
    tp = sum(1 for v, x in zip(y, s) if x >= t and v)
    return tp, sum(1 for v, x in zip(y, s) if x >= t and not v)


def ap(y, s):
    total, before = 0.0, 0.0
    for t in sorted(set(s), reverse=True):
        tp, fp = counts(y, s, t)
        total += (tp / sum(y) - before) * tp / (tp + fp)
        before = tp / sum(y)
    return total


def recall_at(y, s, limit):
    return max([0.0] + [tp / sum(y) for tp, fp in (counts(y, s, t) for t in set(s)) if fp / (len(y) - sum(y)) <= limit])


def day_units(rows, day, per_entity):
    """(key, score, fraud, rows) of one day in order of first appearance."""
    units = {}
    for i, (t, e, y, s, *_) in enumerate(rows):
        if (t - START) // DAY != day or (per_entity and e < 0):
            continue
        u = units.setdefault(e if per_entity else i, [None, -math.inf, False, []])
        u[1], u[2] = max(u[1], s), u[2] or y
        u[3].append(i)
    return [(k, u[1], u[2], u[3]) for k, u in units.items()]


def budget(rows, k, per_entity):
    alerts = hits = frauds = 0
    money = 0.0
    for d in range(6):
        units = sorted(day_units(rows, d, per_entity), key=lambda u: -u[1])
        frauds += sum(u[2] for u in units)
        for u in units[:k]:
            alerts += 1
            hits += u[2]
            money += sum(rows[i][5] for i in u[3] if rows[i][2])
    return {"alerts": alerts, "hits": hits, "frauds": frauds, "precision": hits / alerts, "recall": hits / frauds,
            "amount_recall": money / sum(r[5] for r in rows if r[2])}


def card_precision(rows, k):
    found, out = set(), []
    for d in range(6):
        units = sorted((u for u in day_units(rows, d, True) if u[0] not in found), key=lambda u: -u[1])[:k]
        hit = {u[0] for u in units if u[2]}
        out.append(len(hit) / k)
        found |= hit
    return out


def cost(rows, review, decline, missed, false_decline, review_cost):
    total = 0.0
    for _, _, y, s, _, a in rows:
        if s >= decline:
            total += 0 if y else false_decline
        elif s >= review:
            total += review_cost
        elif y:
            total += a if missed is None else missed
    return total


def best_cost(rows, missed, false_decline, review_cost):
    marks = sorted({r[3] for r in rows}) + [math.inf]
    return min(cost(rows, r, d, missed, false_decline, review_cost) for r in marks for d in marks if r <= d)


def bins(y, p, n):
    order = sorted(range(len(p)), key=lambda i: p[i])
    out, start = [], 0
    for b in range(1, n + 1):
        end = max(start, math.floor(len(p) * b / n + .5))
        while start < end < len(p) and p[order[end]] == p[order[end - 1]]:
            end += 1
        if end > start:
            part = order[start:end]
            out.append({"from": p[part[0]], "to": p[part[-1]], "events": len(part), "frauds": sum(y[i] for i in part),
                        "mean_probability": math.fsum(p[i] for i in part) / len(part), "fraud_rate": sum(y[i] for i in part) / len(part)})
            start = end
    return out


def budget_threshold(rows, k, per_entity):
    units = [u for d in range(6) for u in day_units(rows, d, per_entity)]
    return min(t for t in {u[1] for u in units} if sum(u[1] >= t for u in units) <= 6 * k)


def precision_threshold(y, s, floor):
    return min(t for t in set(s) if (lambda c: c[0] / sum(c))(counts(y, s, t)) >= floor)


def known(rows, history, span, delay):
    out = []
    for t, e, *_ in rows:
        d = (t - START) // DAY
        out.append(e >= 0 and any(he == e and hf and START - span * DAY <= ht < START - delay * DAY + d * DAY for ht, he, hf in history))
    return out


def main():
    rows = make()
    rng = random.Random(7)
    history = [(START - rng.randrange(25 * DAY), rng.randrange(-1, 45), rng.random() < .05) for _ in range(600)]
    history += [(t, e, y) for t, e, y, *_ in rows]
    y, s, p = [r[2] for r in rows], [r[3] for r in rows], [r[4] for r in rows]
    eps = 2.0 ** -52
    clip = [min(max(v, eps), 1 - eps) for v in p]
    b10 = bins(y, p, 10)
    print(json.dumps({
        "start": START,
        "time": [r[0] for r in rows], "entity": [r[1] for r in rows], "fraud": y, "raw": s, "probability": p, "amount": [r[5] for r in rows],
        "history": {"time": [h[0] for h in history], "entity": [h[1] for h in history], "fraud": [h[2] for h in history]},
        "auc": auc(y, s), "ap": ap(y, s), "recall1": recall_at(y, s, .01), "recall5": recall_at(y, s, .05),
        "budget_event": budget(rows, 5, False), "budget_entity": budget(rows, 5, True),
        "card_precision": card_precision(rows, 6),
        "brier": math.fsum((v - q) ** 2 for v, q in zip(y, p)) / len(y),
        "log_loss": -math.fsum(math.log(q) if v else math.log(1 - q) for v, q in zip(y, clip)) / len(y),
        "bins": b10, "ece": sum(b["events"] * abs(b["mean_probability"] - b["fraud_rate"]) for b in b10) / len(y),
        "cost": cost(rows, .5, 2.0, None, 15, 4), "cost_fixed": cost(rows, .5, 2.0, 60, 15, 4),
        "best_cost": best_cost(rows, None, 15, 4), "best_cost_dear_review": best_cost(rows, None, 15, 500),
        "best_cost_fixed": best_cost(rows, 60, 200, 7),
        "threshold_event": budget_threshold(rows, 5, False), "threshold_entity": budget_threshold(rows, 5, True),
        "threshold_precision": precision_threshold(y, s, .5),
        "known_14_7": known(rows, history, 14, 7), "known_20_3": known(rows, history, 20, 3),
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()
