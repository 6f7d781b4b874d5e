# A small image: the pure-Go binary and libturbojpeg, run by an ordinary user.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /porchlight ./cmd/porchlight

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libturbojpeg0 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data --create-home porchlight
COPY --from=build /porchlight /usr/local/bin/porchlight
USER porchlight
VOLUME /data
EXPOSE 8080
ENV PORCHLIGHT_DATA=/data PORCHLIGHT_LISTEN=0.0.0.0:8080
HEALTHCHECK --interval=10s --timeout=3s CMD ["porchlight", "serve", "--healthy"]
ENTRYPOINT ["porchlight"]
CMD ["serve"]
