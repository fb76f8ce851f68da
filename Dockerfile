# One image for every Python service of docker-compose.yml: the API, the jobs and Airflow.
# Packages are those of requirements.run.lock, each checked by its hash.
FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.run.lock /src/
RUN pip install --require-hashes --no-deps -r /src/requirements.run.lock

COPY pyproject.toml README.md LICENSE /src/
COPY clinical /src/clinical
COPY forecasting /src/forecasting
COPY providers /src/providers
COPY registry /src/registry
COPY vitalcast /src/vitalcast
COPY api /src/api
COPY dashboards /src/dashboards
COPY benchmarks /src/benchmarks
RUN pip install --no-deps --no-build-isolation /src && vitalcast compile


FROM python:3.11-slim-bookworm

RUN groupadd --gid 10001 vitalcast \
 && useradd --uid 10001 --gid 10001 --create-home --home-dir /var/lib/vitalcast vitalcast \
 && install -d -o vitalcast -g vitalcast /opt/airflow /opt/airflow/logs
COPY --from=build /opt/venv /opt/venv
COPY dags /opt/vitalcast/dags

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VITALCAST_HOME=/var/lib/vitalcast \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/vitalcast/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/vitalcast/dags/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=false
USER 10001:10001
WORKDIR /var/lib/vitalcast
CMD ["vitalcast", "--help"]
