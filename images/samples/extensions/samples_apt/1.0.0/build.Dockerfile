ARG base_image
FROM ${base_image}

ARG packages
ARG user_id=1000
ARG group_id=1000
ARG DEBIAN_FRONTEND=noninteractive

USER root
RUN apt-get update -qq \
  && apt-get install -qq --yes --no-install-recommends ${packages} \
  # What apt can fetch again, and logs with times in them: without these the same packages make the same layer.
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache /var/log/apt/* /var/log/*.log
USER ${user_id}:${group_id}
