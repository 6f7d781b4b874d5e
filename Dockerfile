# A small image: the pure-Go binary and libturbojpeg, run by an ordinary user.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN .ci/wasm && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /porchlight ./cmd/porchlight

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libturbojpeg0 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --no-log-init --shell /usr/sbin/nologin --home-dir /data porchlight \
 && install -d -o porchlight -g porchlight -m 0700 /data
COPY --from=build /porchlight /usr/local/bin/porchlight
# By number, so that an orchestrator can see that it is not root.
USER 10001
# A volume made at /data takes over that folder's owner.
VOLUME /data
EXPOSE 8080
ENV PORCHLIGHT_DATA=/data PORCHLIGHT_LISTEN=0.0.0.0:8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["porchlight", "serve", "--healthy"]
ENTRYPOINT ["porchlight"]
CMD ["serve"]
