"""prepare.py CSV.GZ OUT.parquet writes the Handbook's payments as the Parquet file that everybody reads."""

import sys

import pyarrow.csv as csv
import pyarrow.parquet as parquet

table = csv.read_csv(sys.argv[1]).select(["tx_id", "unix_time", "customer_id", "terminal_id", "amount", "is_fraud"])
parquet.write_table(table, sys.argv[2], compression="snappy")
