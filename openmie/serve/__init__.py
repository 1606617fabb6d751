"""`openmie serve`: extraction over HTTP, with Documents as JSON in every answer. Needs the extra `serve`.

    from openmie.serve import Settings, create_application
    application = create_application({"base": served}, Settings(tokens=("a secret",)))   # an ASGI application

What a request passes, in this order:

* `gate`: token, rate, size of the body; an error becomes a problem document (`problems`), a log line and a count.
* `routes`: the request is read (`post_request`), its images are checked before they are decoded (`uploads`).
* `batching`: posts of all clients wait in one queue per model, and are predicted together.
* `served_model`: openmie-base, a trained model, or a vision-language model, with the labels of the request.
"""

from openmie.serve.application import create_application
from openmie.serve.settings import Settings

__all__ = ["Settings", "create_application"]
