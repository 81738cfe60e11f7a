#!/bin/sh
# Prefect's own database, made when the server's data folder is: it shares nothing with the desk's.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$PREFECT_DATABASE_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE prefect LOGIN PASSWORD :'password';
CREATE DATABASE prefect OWNER prefect;
\connect prefect
CREATE EXTENSION pg_trgm;
SQL
