# Trimtab without AWS: two images from one file, `bot` and `dashboard`. compose.yaml shows how they run.
#
# The build stages install what the locks name, each file checked by its hash; the images take only the result:
# no build tools, no package cache, nothing that root of the container has to write.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS locked
ENV PIP_NO_CACHE_DIR="1" PIP_DISABLE_PIP_VERSION_CHECK="1"
COPY requirements/ /requirements/
# pip stays outside: it installs into an environment that has none.
RUN python -m venv --without-pip /venv
RUN pip --python /venv/bin/python install --require-hashes --no-deps --requirement /requirements/serve.txt \
 && pip --python /venv/bin/python install --require-hashes --no-deps --requirement /requirements/alerts.txt \
 && pip --python /venv/bin/python install --require-hashes --no-deps --requirement /requirements/aws.txt \
 && /venv/bin/python -m compileall -q /venv/lib

FROM locked AS locked-dashboard
RUN pip --python /venv/bin/python install --require-hashes --no-deps --requirement /requirements/dashboard.txt \
 && /venv/bin/python -m compileall -q /venv/lib

FROM python:${PYTHON}-slim AS base
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin trimtab \
 && install --directory --owner trimtab --group trimtab --mode 0750 /data /config
# The same places as in a checkout, so that the package finds the dashboard beside it.
COPY layers/trimtab/trimtab/ /opt/trimtab/layers/trimtab/trimtab/
RUN printf '#!/bin/sh\nexec python -P -m trimtab "$@"\n' > /usr/local/bin/trimtab \
 && chmod 0755 /usr/local/bin/trimtab \
 && python -m compileall -q /opt/trimtab
ENV PATH="/venv/bin:/usr/local/bin:/usr/bin:/bin" \
    PYTHONPATH="/opt/trimtab/layers/trimtab" \
    PYTHONDONTWRITEBYTECODE="1" \
    PYTHONUNBUFFERED="1" \
    HOME="/tmp" \
    TRIMTAB_CONFIG="/config/config.json" \
    TRIMTAB_STORE__URL="/data"
USER 10001:10001
WORKDIR /data
VOLUME /data
ENTRYPOINT ["python", "-P", "-m", "trimtab"]

FROM base AS dashboard
COPY --from=locked-dashboard /venv /venv
COPY dashboard/ /opt/trimtab/dashboard/
EXPOSE 8501
HEALTHCHECK --interval=1m --timeout=20s --start-period=1m \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=10)"]
# Who may reach the port is the publisher's word: compose.yaml publishes it on loopback only.
CMD ["dashboard", "--host", "0.0.0.0", "--open"]

FROM base AS bot
COPY --from=locked /venv /venv
HEALTHCHECK --interval=5m --timeout=30s --start-period=2m \
    CMD ["sh", "-c", "trimtab serve --check || exit 1"]
CMD ["serve"]
