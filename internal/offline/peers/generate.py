"""generate.py ROWS OUT.parquet [SEED]: payments like the Handbook's, any number of them, in the order of time.

Half a year, a customer for every 350 payments and a terminal for every 175, activity skewed, eight in a thousand frauds.
"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

rows, out = int(sys.argv[1]), sys.argv[2]
random = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
customers, terminals, half_year = max(1, rows // 350), max(1, rows // 175), 183 * 86_400
writer = None
for first in range(0, rows, 1_000_000):
    n = min(1_000_000, rows - first)
    begin, end = 1_522_540_800 + half_year * first // rows, 1_522_540_800 + half_year * (first + n) // rows
    table = pa.table({
        "tx_id": np.arange(first, first + n),
        "unix_time": np.sort(random.integers(begin, max(end, begin + 1), n)),
        "customer_id": (customers * random.beta(1, 1.7, n)).astype(np.int64),
        "terminal_id": (terminals * random.beta(1, 1.3, n)).astype(np.int64),
        "amount": np.round(random.gamma(1.8, 30, n), 2),
        "is_fraud": (random.random(n) < 0.008).astype(np.int64),
    })
    writer = writer or parquet.ParquetWriter(out, table.schema, compression="snappy")
    writer.write_table(table)
writer.close()
