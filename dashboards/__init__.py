"""Grafana: boards and alert rules as code, and how they get there.

    model      what a panel, a board and an alert rule are
    boards/    the boards, one a module; their SQL reads the views `bi_…` alone
    alerts     the alert rules, each with its page in docs/runbook.md
    documents  boards and rules as the JSON that Grafana takes
    macros     Grafana's macros and variables in SQL, written out
    check      every query, run on the database with the rights of its reader
    provision  what Grafana has beside what it should have, and bringing it there
    draw       pictures of boards, from their own queries
"""
