# The orders service in the layout that FastAPI's documentation shows (https://fastapi.tiangolo.com/deployment/docker/):
# one stage, `pip install`, then the code. What `make bench B=images` compares the image with.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
FROM ${PYTHON_IMAGE}
WORKDIR /code
COPY requirements/orders.txt /code/requirements.txt
RUN pip install --no-cache-dir --upgrade -r /code/requirements.txt
COPY libs/platform_sdk/src /code
COPY services/orders/src /code
CMD ["python", "-m", "orders.main"]
