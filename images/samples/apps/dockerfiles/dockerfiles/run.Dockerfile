ARG base_image
FROM ${base_image}

ARG runtime
ARG motd
ARG user_id=1000
ARG group_id=1000
USER root
COPY --chmod=755 apt-clean /usr/local/sbin/
RUN apt-get update -qq \
  && apt-get install -qq --yes --no-install-recommends "${runtime}" lua-cjson lua-socket \
  && apt-clean
RUN printf '%s\n' "$motd" >/etc/motd
ENV GREETING="from a Dockerfile"
USER ${user_id}:${group_id}
