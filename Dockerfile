# The images of Warren's programs:
#
#   docker build --target PROGRAM .
#
# with registry, producer, consumer, gateway, owners, products, orders, payments, bridge, or warren, the command line.
# `docker compose --profile cli --profile full build` makes them all; `dev` is for docker-compose.dev.yml.

FROM rust:1-slim-bookworm AS toolchain
# The client of Kafka is written in C, and brings its own build.
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src

FROM toolchain AS dev
RUN apt-get update \
    && apt-get install -y --no-install-recommends entr \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home warren && install -d -o warren -g warren /cache
# Both are in one volume, so that the containers share what one of them downloaded or built.
ENV CARGO_HOME=/cache/cargo CARGO_TARGET_DIR=/cache/target
USER 10001:10001
STOPSIGNAL SIGTERM
# The source is mounted on /src.
ENTRYPOINT ["/src/deploy/docker/rerun"]

FROM toolchain AS build
COPY . .
# What cargo downloads and compiles stays in cache mounts: a change of the source compiles only our own crates. Cargo takes
# a file for unchanged if it is older than what was built last, as is one that was saved while another image was being built:
# hence the `touch`. Without debug information the programs are a third of the size; names of functions stay.
RUN --mount=type=cache,id=warren-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=warren-target,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --release --locked -p registry -p producer -p consumer -p gateway \
        -p owners -p products -p orders -p payments -p bridge -p warren \
    && (cd target/release \
        && install -D -t /out registry producer consumer gateway owners products orders payments bridge warren) \
    && strip --strip-debug /out/*

FROM debian:bookworm-slim AS runtime
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin warren
# For TLS to brokers and databases elsewhere.
COPY --from=toolchain /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM

FROM runtime AS registry
COPY --from=build /out/registry /usr/local/bin/
EXPOSE 8761
ENTRYPOINT ["registry"]

FROM runtime AS producer
COPY --from=build /out/producer /usr/local/bin/
EXPOSE 8081
ENTRYPOINT ["producer"]

FROM runtime AS consumer
COPY --from=build /out/consumer /usr/local/bin/
EXPOSE 8080
ENTRYPOINT ["consumer"]

FROM runtime AS gateway
COPY --from=build /out/gateway /usr/local/bin/
EXPOSE 3000
ENTRYPOINT ["gateway"]

FROM runtime AS owners
COPY --from=build /out/owners /usr/local/bin/
EXPOSE 30000 40000
ENTRYPOINT ["owners"]

FROM runtime AS products
COPY --from=build /out/products /usr/local/bin/
EXPOSE 30001 40001
ENTRYPOINT ["products"]

FROM runtime AS orders
COPY --from=build /out/orders /usr/local/bin/
EXPOSE 30002 40002
ENTRYPOINT ["orders"]

FROM runtime AS payments
COPY --from=build /out/payments /usr/local/bin/
EXPOSE 30003
ENTRYPOINT ["payments"]

FROM runtime AS bridge
COPY --from=build /out/bridge /usr/local/bin/
EXPOSE 30004
ENTRYPOINT ["bridge"]

FROM runtime AS warren
COPY --from=build /out/warren /usr/local/bin/
ENTRYPOINT ["warren"]
