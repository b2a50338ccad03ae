"""moto as a WSGI application. Its operations answer from memory."""

from moto.server import DomainDispatcherApplication, create_backend_app

application = DomainDispatcherApplication(create_backend_app)
