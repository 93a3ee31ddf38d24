# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees of the made-up agent, to the letter."""
GOLDEN_STATUS = """\
mode enforce, up 2 h, keeper 4242, worker 4243
degraded: history: disk full, 12 records lost
SERVICE               TIER    CPU LIMIT   q50..q99  MEM LIMIT bit/s    SLO  BURN
checkout              gold   0.81     - 0.75..1.20 212M    2G   12M 99.93% -/1.4
batch-of-a-very-lo... bronze    -  0.50          -    -     -     -      -     -
left for bronze: CPU 1.24 (0.62 unused), memory 3.5G (3G unused),
    eth0 80M (20M unused)
"""
GOLDEN_APIS = """\
SERVICE  API                  REQUESTS RATE/s ERRORS   p50   p90   p99 CPU/REQ
checkout POST /v1/orders/{id}     1.2M   2.0k    560 350us 1.2ms 5.1ms   412us
checkout other                       0      0      0     -     -     -       -
SERVICE  API                  OBJECTIVE UNDER OVER ATTAINED FAST SLOW
checkout (all)                   99.90% 200ms  1 h   99.91%  0.9  0.8
checkout POST /v1/orders/{id}    99.95% 100ms  1 h   99.93%    -  1.4
unattributed: tls 41 unseen_listener 1
"""
GOLDEN_EXPLAIN = """\
checkout, gold
planned 45 s ahead (auto): warm 40 s after a start (3), - after a burst (0)
cpu.max 1.30 CPUs (before foreshape: unlimited), decision 77
    forecast_raise: forecast demand over the lead horizon needs more
    from demand_q99_mcpu=1200.5 target_utilisation=0.7
    policy checkout.yaml:14
    not done: step (lowered by the largest step allowed at once)
    not done: ceiling (the policy's ceiling or the host's capacity)
"""
