"""pandas_rolling.py IN.parquet OUT.parquet: the Handbook's 15 features as its authors compute them, with pandas."""

import sys

import pandas as pd

DAYS = (1, 7, 30)
DELAY = 7

payments = pd.read_parquet(sys.argv[1])
payments["time"] = pd.to_datetime(payments.unix_time, unit="s")
payments["weekend"] = (payments.time.dt.weekday >= 5).astype("int8")
payments["night"] = (payments.time.dt.hour <= 6).astype("int8")


def of_customer(group):
    group = group.sort_values("time", kind="stable").set_index("time")
    for days in DAYS:
        window = group.amount.rolling(f"{days}d")
        count = window.count()
        group[f"customer_payments_{days}d"], group[f"customer_amount_mean_{days}d"] = count, window.sum() / count
    return group.reset_index()


def of_terminal(group):
    group = group.sort_values("time", kind="stable").set_index("time")
    recent = group.is_fraud.rolling(f"{DELAY}d")
    frauds, events = recent.sum(), recent.count()
    for days in DAYS:
        window = group.is_fraud.rolling(f"{DELAY + days}d")
        count, bad = window.count() - events, window.sum() - frauds
        group[f"terminal_payments_{days}d"], group[f"terminal_fraud_share_{days}d"] = count, (bad / count).fillna(0)
    return group.reset_index()


payments = pd.concat([of_customer(g) for _, g in payments.groupby("customer_id")], ignore_index=True)
payments = pd.concat([of_terminal(g) for _, g in payments.groupby("terminal_id")], ignore_index=True)
payments = payments.sort_values(["unix_time", "tx_id"]).drop(columns=["time", "customer_id", "terminal_id", "is_fraud"])
payments.to_parquet(sys.argv[2], index=False)
