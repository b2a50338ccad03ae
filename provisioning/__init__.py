"""How to provision: bundles, schemas, specs, rendering, engines. Values in, values out; knows neither Django nor Celery."""
