# One image for both processes: `imagegen server` and `imagegen gateway`.
FROM node:24-slim AS page
WORKDIR /src/gateway/web
COPY gateway/web/package.json gateway/web/package-lock.json gateway/web/.npmrc ./
RUN npm ci
COPY gateway/web ./
RUN npm run build

FROM python:3.11-slim AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/imagegen
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN /opt/imagegen/bin/pip install --require-hashes -r requirements/runtime.txt
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements/build.txt
COPY . .
COPY --from=page /src/gateway/imagegen_gateway/static gateway/imagegen_gateway/static
RUN /opt/build/bin/python -m hatchling build -t wheel \
    && /opt/imagegen/bin/pip install --no-deps dist/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/imagegen --create-home imagegen
COPY --from=build /opt/imagegen /opt/imagegen
ENV PATH=/opt/imagegen/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    IMAGEGEN_DATA_DIR=/var/lib/imagegen \
    IMAGEGEN_LOG_FORMAT=json
USER 10001
VOLUME /var/lib/imagegen
EXPOSE 50051 8000
ENTRYPOINT ["imagegen"]
CMD ["up"]
