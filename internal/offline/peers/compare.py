"""compare.py HAECHI PROJECT PAYMENTS.csv.gz [ROUNDS] [PEER ...]

Computes the Handbook's 15 features, Parquet to Parquet, by `haechi features replay` and by each peer in turn, ROUNDS
times over, each in a process of its own, and prints the medians of CPU (user and system, all threads), wall time and
peak memory, with the ratio to ours. Peers: polars_rolling, duckdb_sql, pandas_rolling; the first two when none is named.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

here = os.path.dirname(os.path.abspath(__file__))
haechi, project, payments = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
peers = sys.argv[5:] or ["polars_rolling", "duckdb_sql"]


def run(command):
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{command} failed")
    return used.ru_utime + used.ru_stime, time.monotonic() - begin, used.ru_maxrss / 1024


with tempfile.TemporaryDirectory(dir=".") as folder:
    events = os.path.join(folder, "payments.parquet")
    subprocess.run([sys.executable, os.path.join(here, "prepare.py"), payments, events], check=True)
    commands = {"haechi": [haechi, "features", "replay", project, "--features", "@published", "--events", events, "--out", os.path.join(folder, "haechi.parquet")]}
    for peer in peers:
        commands[peer] = [sys.executable, os.path.join(here, peer + ".py"), events, os.path.join(folder, peer + ".parquet")]
    figures = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            figures[name].append(run(command))
    ours = statistics.median(f[0] for f in figures["haechi"])
    print(f"{'':16}{'CPU s':>8}{'wall s':>8}{'MiB':>8}{'file MB':>9}{'ours / its CPU':>16}")
    for name, all_of in figures.items():
        cpu, wall, memory = (statistics.median(f[i] for f in all_of) for i in range(3))
        size = os.path.getsize(os.path.join(folder, name + ".parquet")) / 1e6
        print(f"{name:16}{cpu:8.2f}{wall:8.2f}{memory:8.0f}{size:9.0f}{ours / cpu:16.2f}")
