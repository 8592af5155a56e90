ARG base_image
FROM ${base_image}

ARG runtime
ARG user_id=1000
ARG group_id=1000
USER root
COPY --chmod=755 apt-clean /usr/local/sbin/
RUN <<END
set -e
apt-get update -qq
apt-get install -qq --yes --no-install-recommends curl "$runtime" lua-cjson
apt-clean
END
USER ${user_id}:${group_id}
