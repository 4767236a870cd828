# The image of the GitHub Action and of the GitLab job. `docker build .` makes it; a release pins it by digest.
# It keeps to what every builder understands: no heredocs, no COPY --link, no frontend line.

FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt ./
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --root-user-action=ignore --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# Unchecked: a copy between stages may round the times that bytecode is otherwise compared with, and a stale file
# is compiled again at every start.
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --root-user-action=ignore --no-deps . \
 && python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM python:3.13-slim
LABEL org.opencontainers.image.title="landed" \
      org.opencontainers.image.description="Tells people and pipelines whether a commit has landed: reconciled by Flux, healthy, on every cluster." \
      org.opencontainers.image.licenses="Apache-2.0"
# The official image leaves the standard library uncompiled, which would cost every start a second.
RUN PYTHONDONTWRITEBYTECODE=1 python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash \
      -x '/(site-packages|ensurepip|idlelib|pydoc_data|tests?|turtledemo)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/venv /opt/venv
# A GitLab job calls `landed` by its name, through the image's shell.
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# No USER: a container action must be root to write into the runner's workspace.
# -I: the working directory holds the code of whoever opened the pull request, and none of it may be imported.
# kubectl is not here: `--kube-via kubectl` needs an image that adds it.
ENTRYPOINT ["/opt/venv/bin/python", "-I", "-m", "landed"]
CMD ["--help"]
