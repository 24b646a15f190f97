"""dbt's connection, the ledger, the landing table, and what COPY reads."""
