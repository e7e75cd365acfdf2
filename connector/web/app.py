"""The web process: webhooks in, health out. `create_app()` is what gunicorn calls."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from connector import config, log
from connector.domain.errors import ConfigError
from connector.web import health, hooks
from connector.wiring import Runtime, build
from workers.bell import bell_for


def create_app(runtime: Runtime | None = None) -> Flask:
    """The WSGI application; without a runtime it builds one from the configuration."""
    if runtime is None:
        settings = config.load()
        if settings.queue.url.startswith("memory"):
            told = (
                "this web process has nobody to work for it: set REDIS_URL and start a worker, or use `connector run`"
            )
            raise ConfigError(told)
        runtime = build(settings, bell=bell_for(settings))
        log.configure(level=runtime.settings.log_level)
        runtime.import_mappings()
    app = Flask("connector", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = runtime.settings.largest_delivery
    app.config["MAX_FORM_MEMORY_SIZE"] = runtime.settings.largest_delivery
    app.register_blueprint(hooks.blueprint(runtime))
    app.register_blueprint(health.blueprint(runtime))
    if runtime.settings.behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    return app
