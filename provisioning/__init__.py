"""How to provision: bundles, schemas, specs, rendering, engines. Values in, values out; no Django, no Celery."""
