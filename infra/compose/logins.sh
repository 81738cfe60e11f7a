#!/bin/sh
# A login for each role of the journal, made when the server's data folder is. On a database that is
# there already run the statements by hand; ALTER ROLE ... PASSWORD changes one.
set -eu
login() {
  psql -v ON_ERROR_STOP=1 -v name="desk_$1" -v role="dmm_$1" -v password="$2" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password' IN ROLE :"role";
SQL
}
login worker "$WORKER_DATABASE_PASSWORD"
login flows "$FLOWS_DATABASE_PASSWORD"
login settler "$SETTLER_DATABASE_PASSWORD"
login signer "$SIGNER_DATABASE_PASSWORD"
login auditor "$AUDITOR_DATABASE_PASSWORD"
