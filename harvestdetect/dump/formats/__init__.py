"""From bytes to rows: JSON in all its forms, CSV, Parquet and other formats of columns."""
