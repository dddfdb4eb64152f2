"""duckdb_sql.py IN.parquet OUT.parquet: the Handbook's 15 features as window functions of DuckDB."""

import sys

import duckdb

DAY = 86_400
DELAY = 7 * DAY

columns, windows = [], []
for days in (1, 7, 30):
    w = days * DAY
    columns += [
        f"count(*) OVER c{days} AS customer_payments_{days}d",
        f"avg(amount) OVER c{days} AS customer_amount_mean_{days}d",
        f"count(*) OVER t{days} AS terminal_payments_{days}d",
        f"coalesce(avg(is_fraud) OVER t{days}, 0) AS terminal_fraud_share_{days}d",
    ]
    windows += [
        f"c{days} AS (PARTITION BY customer_id ORDER BY unix_time RANGE BETWEEN {w - 1} PRECEDING AND CURRENT ROW)",
        f"t{days} AS (PARTITION BY terminal_id ORDER BY unix_time RANGE BETWEEN {w + DELAY - 1} PRECEDING AND {DELAY} PRECEDING)",
    ]

connection = duckdb.connect()
connection.execute("SET threads = 2")
connection.execute(f"""
COPY (
    SELECT tx_id, unix_time, amount,
        (isodow(to_timestamp(unix_time) AT TIME ZONE 'UTC') >= 6)::INT AS weekend,
        (hour(to_timestamp(unix_time) AT TIME ZONE 'UTC') <= 6)::INT AS night,
        {", ".join(columns)}
    FROM read_parquet('{sys.argv[1]}')
    WINDOW {", ".join(windows)}
) TO '{sys.argv[2]}' (FORMAT parquet)
""")
