"""polars_rolling.py IN.parquet OUT.parquet: the Handbook's 15 features as rolling groups of Polars."""

import sys

import polars as pl

DAYS = (1, 7, 30)
DELAY = 7


def rolling(frame, entity, days, delay, *aggregates):
    """One row per payment of an entity, in (entity, time) order, over (t - delay - days, t - delay]."""
    return frame.rolling("time", period=f"{days}d", offset=f"-{days + delay}d", closed="right", group_by=entity).agg(*aggregates)


payments = pl.read_parquet(sys.argv[1]).with_columns(time=pl.from_epoch("unix_time", time_unit="s"))
payments = payments.with_columns(
    weekend=(pl.col("time").dt.weekday() >= 6).cast(pl.Int8),
    night=(pl.col("time").dt.hour() <= 6).cast(pl.Int8),
)
for entity in ("customer_id", "terminal_id"):
    payments = payments.sort(entity, "time", maintain_order=True)
    if entity == "customer_id":
        columns = [
            rolling(payments, entity, d, 0, pl.len().alias(f"customer_payments_{d}d"), pl.col("amount").mean().alias(f"customer_amount_mean_{d}d"))
            for d in DAYS
        ]
    else:
        columns = [
            rolling(payments, entity, d, DELAY, pl.len().alias(f"terminal_payments_{d}d"), pl.col("is_fraud").mean().fill_null(0).alias(f"terminal_fraud_share_{d}d"))
            for d in DAYS
        ]
    payments = pl.concat([payments] + [c.drop(entity, "time") for c in columns], how="horizontal")
payments.sort("time", "tx_id").drop("time", "customer_id", "terminal_id", "is_fraud").write_parquet(sys.argv[2])
