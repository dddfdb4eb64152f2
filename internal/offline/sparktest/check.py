"""check.py HAECHI PROJECT PAYMENTS.parquet VECTORS.parquet: Spark in local mode, with haechi as the child of each
partition, must give VECTORS.parquet bit for bit, which one process made of PAYMENTS.parquet."""

import os
import struct
import sys

import pyarrow.parquet as parquet

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.dont_write_bytecode = True  # the tests leave nothing in the tree
os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable

from haechi_arrow import vectors  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

haechi, project, payments_file, vectors_file = sys.argv[1:5]

spark = (
    SparkSession.builder.master("local[2]").appName("haechi")
    .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "3").config("spark.driver.memory", "1g")
    .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").config("spark.sql.adaptive.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC").getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
spark.sparkContext.addPyFile(os.path.join(here, "haechi_arrow.py"))

table = parquet.read_table(vectors_file)
names = table.column_names[2:]
rows = list(zip(*(table[c].to_pylist() for c in ["id"] + names)))
expected = {row[0]: row[1:] for row in rows}


def bits(x):
    return struct.pack("<d", x)


def compare(what, features, answer):
    """answer is a list of rows (id, features...)."""
    places = [names.index(f) for f in features]
    if len(answer) != len(expected) or len({row[0] for row in answer}) != len(expected):
        sys.exit(f"{what}: {len(answer)} rows for {len(expected)}")
    for row in answer:
        want = expected[row[0]]
        for value, place, name in zip(row[1:], places, features):
            if bits(value) != bits(want[place]):
                sys.exit(f"{what}: {name} of {row[0]} is {value!r}, one process gave {want[place]!r}")
    print(f"{what}: {len(answer)} rows x {len(features)} features equal", flush=True)


def command(features, *more):
    return [haechi, "features", "pipe", "--project", project, "--features", ",".join(features), *more]


def of(kind):
    other = {"customer": "terminal_", "terminal": "customer_"}[kind]
    return [n for n in names if not n.startswith(other)]


def schema(features):
    return ", ".join(["id string", "time timestamp_ntz"] + [f"{n} double" for n in features])


columns = ["tx_id", "unix_time", "customer_id", "terminal_id", "amount", "is_fraud"]
payments = spark.read.parquet(payments_file).select(columns).repartition(7).cache()  # shuffled
payments.createOrReplaceTempView("payments")

for kind in ("customer", "terminal"):
    features, key = of(kind), f"{kind}_id"
    answer = (
        payments.repartition(key).sortWithinPartitions(key, "unix_time", "tx_id")
        .mapInArrow(vectors(command(features, "--by", kind, "--format", "arrow")), schema(features))
    )
    compare(f"mapInArrow by {kind}", features, [(r[0], *r[2:]) for r in answer.collect()])

everything = payments.repartition(1).sortWithinPartitions("unix_time", "tx_id").mapInArrow(vectors(command(names, "--format", "arrow")), schema(names))
compare("mapInArrow in the order of time", names, [(r[0], *r[2:]) for r in everything.collect()])

# The SQL-only way. The end markers come as rows of their own and are what the caller checks.
features = of("terminal")
child = " ".join(command(features, "--by", "terminal", "--columns", ",".join(columns)))
answer = spark.sql(f"""
    SELECT TRANSFORM (tx_id, unix_time, customer_id, terminal_id, CAST(amount AS DECIMAL(12,2)), is_fraud)
        ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' LINES TERMINATED BY '\\n' NULL DEFINED AS '\\\\N'
        USING '{child}'
        AS (id STRING, time BIGINT, {", ".join(f"{n} DOUBLE" for n in features)})
        ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' LINES TERMINATED BY '\\n' NULL DEFINED AS '\\\\N'
    FROM (SELECT * FROM payments DISTRIBUTE BY terminal_id SORT BY terminal_id, unix_time, tx_id)
""").collect()
ends = [r for r in answer if r[0] == "\\."]
rows_in, rows_out = sum(r[1] for r in ends), sum(int(r[2]) for r in ends)
if rows_in != len(expected) or rows_out != len(answer) - len(ends):
    sys.exit(f"TRANSFORM: the ends tell of {rows_in} rows in and {rows_out} out of {len(expected)}")
compare("SELECT TRANSFORM by terminal", features, [(r[0], *r[2:]) for r in answer if r[0] != "\\."])

# What must not work: a partition whose rows are not in order ends the job.
try:
    payments.repartition(1).sortWithinPartitions("tx_id", ascending=False).mapInArrow(vectors(command(names, "--format", "arrow")), schema(names)).count()
except Exception as error:
    if "is older than the row before it" not in str(error):
        sys.exit(f"unsorted rows fail for another reason: {error}")
    print("rows out of order end the job", flush=True)
else:
    sys.exit("rows out of order went through")
spark.stop()
