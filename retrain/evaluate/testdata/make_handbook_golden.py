#!/usr/bin/env python3
"""Makes handbook_golden.json: what shared/acceptance/handbook_metrics.py says about made-up scores of the Handbook's payments.

The scores are integer arithmetic on tx_id, amount and label, so that the Go test makes the same ones; they have many
ties. Needs the shared data and numpy, the test needs only the data.
Run: python3 make_handbook_golden.py SHARED > handbook_golden.json   (SHARED holds acceptance/ and data/)
"""
import csv, gzip, json, os, re, subprocess, sys, tempfile

CASES = [
    {"start": "2018-08-08", "days": 7, "delay": 7, "known": 7, "top": 100},
    {"start": "2018-08-15", "days": 7, "delay": 7, "known": 7, "top": 100},
    {"start": "2018-08-22", "days": 7, "delay": 7, "known": 7, "top": 100},
    {"start": "2018-08-29", "days": 7, "delay": 7, "known": 7, "top": 100},
    {"start": "2018-06-10", "days": 12, "delay": 3, "known": 18, "top": 40},
]


def score(tx, cents, fraud):
    h = (tx * 2654435761) % 2**32
    return ((h >> 9) % 3000 + (1700 if fraud and h % 3 else 0) + cents // 40) // 9 / 16


def main():
    shared = sys.argv[1]
    transactions = os.path.join(shared, "data/handbook/transactions.csv.gz")
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "predictions.csv")
        with gzip.open(transactions, "rt") as f, open(path, "w") as out:
            out.write("tx_id,score\n")
            for r in csv.DictReader(f):
                out.write(f"{r['tx_id']},{score(int(r['tx_id']), round(float(r['amount']) * 100), r['is_fraud'] == '1')!r}\n")
        for c in CASES:
            line = subprocess.run([sys.executable, os.path.join(shared, "acceptance/handbook_metrics.py"), path, "--transactions", transactions,
                                   "--test-start", c["start"], "--days", str(c["days"]), "--delay", str(c["delay"]),
                                   "--known", str(c["known"]), "--top", str(c["top"])], check=True, capture_output=True, text=True).stdout
            m = re.fullmatch(r"AUC (\S+) AP (\S+) CP@\d+ (\S+) rows (\d+) frauds (\d+)\n", line)
            c.update(auc=float(m[1]), ap=float(m[2]), cp=float(m[3]), rows=int(m[4]), frauds=int(m[5]))
    print(json.dumps(CASES, indent=1))


if __name__ == "__main__":
    main()
