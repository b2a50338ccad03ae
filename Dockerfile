# One image for web, worker, scheduler and migrations; docker-compose.yml says which it is. Settings and secrets come from
# the environment of the container. Node and uv are in the build stages only.

FROM node:24-bookworm-slim AS packages
WORKDIR /app/static
COPY static/package.json static/package-lock.json static/.npmrc ./
RUN npm ci --no-progress

FROM python:3.11-slim-bookworm AS build
ENV UV_NO_CONFIG=true UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=true
WORKDIR /app
COPY requirements-uv.lock requirements.lock ./
RUN python -m venv /opt/uv \
    && /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-uv.lock \
    && /opt/uv/bin/uv venv /opt/venv \
    && /opt/uv/bin/uv pip install --require-hashes --compile-bytecode --python /opt/venv/bin/python -r requirements.lock
COPY manage.py ./
COPY portal portal
COPY provisioning provisioning
COPY templates templates
COPY static static
COPY --from=packages /app/static/node_modules static/node_modules
RUN export DEUTERON_TOOLING=true DATABASE_URL=sqlite:///:memory: \
    && /opt/venv/bin/python manage.py vendor_static \
    && /opt/venv/bin/python manage.py collectstatic --noinput --verbosity 0

FROM python:3.11-slim-bookworm
# Commands of bundles run in bubblewrap where COMMAND_RUNNER=local. It makes user namespaces, which container engines
# forbid by default: see docs/operations.md.
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin deuteron \
    && install --directory --owner=10001 --mode=0700 /var/lib/deuteron/audit
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=portal.settings PORT=8000
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app/staticfiles staticfiles
COPY manage.py ./
COPY portal portal
COPY provisioning provisioning
COPY templates templates
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "portal.healthcheck"]
CMD ["gunicorn", "--config=python:portal.server", "portal.wsgi:application"]
