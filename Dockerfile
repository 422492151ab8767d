# syntax=docker/dockerfile:1
# Targets: cpu (default) and gpu. Build: docker build --target cpu -t mcdropout .

FROM python:3.11.14-slim-bookworm AS builder
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    VIRTUAL_ENV=/opt/venv
WORKDIR /src
RUN pip install --no-cache-dir "uv==0.13.9" && uv venv /opt/venv
COPY pyproject.toml README.md LICENSE ./

FROM builder AS builder-cpu
COPY requirements/cpu.txt requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --require-hashes -r requirements/cpu.txt
COPY mcdropout/ mcdropout/
COPY service/ service/
COPY models/__init__.py models/
COPY models/export/ models/export/
RUN uv pip install --no-deps .

FROM builder AS builder-gpu
COPY requirements/gpu.txt requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --require-hashes -r requirements/gpu.txt
COPY mcdropout/ mcdropout/
COPY service/ service/
COPY models/__init__.py models/
COPY models/export/ models/export/
RUN uv pip install --no-deps .

FROM python:3.11.14-slim-bookworm AS runtime
# An unprivileged user without home, shell or write permission.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 mcdropout
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MCDROPOUT_HOST=0.0.0.0 \
    MCDROPOUT_PORT=8000 \
    MCDROPOUT_MODELS=/models \
    MCDROPOUT_LOG_FORMAT=json
COPY models/store/ /models/
USER 10001
EXPOSE 8000
# Liveness, not readiness: a restart does not repair a failed model, and would interrupt the others
# again and again. /health/ready tells whether to send traffic.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['MCDROPOUT_PORT'] + '/health/live', timeout=2)"]
CMD ["mcdropout", "serve"]

FROM runtime AS gpu
ENV MCDROPOUT_DEVICE=cuda
COPY --from=builder-gpu /opt/venv /opt/venv

# The last stage is the default one.
FROM runtime AS cpu
COPY --from=builder-cpu /opt/venv /opt/venv
