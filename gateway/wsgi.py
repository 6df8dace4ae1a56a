"""Application that gunicorn loads in each worker. `gunicorn -c gateway/gunicorn.conf.py gateway.wsgi:application`."""

import os

from gateway.app import create_app
from gateway.settings import Settings

application = create_app(Settings.from_env(os.environ))
