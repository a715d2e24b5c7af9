"""social-auth-core's backend for Auth0 with Django, as its pages show them."""
import os
import tempfile
from urllib.parse import urlsplit

import django
import requests
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.urls import include, path

settings.configure(
    SECRET_KEY="of this test",
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "social_django"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(tempfile.mkdtemp(), "app.db")}},
    AUTHENTICATION_BACKENDS=[__name__ + ".ExactAuth0", "django.contrib.auth.backends.ModelBackend"],
    LOGIN_REDIRECT_URL="/user",
    SOCIAL_AUTH_AUTH0_DOMAIN=urlsplit(os.environ["ISSUER"]).netloc,
    SOCIAL_AUTH_AUTH0_KEY=os.environ["CLIENT_ID"],
    SOCIAL_AUTH_AUTH0_SECRET=os.environ["CLIENT_SECRET"],
)
django.setup()

from social_core.backends.auth0 import Auth0OAuth2  # after setup


class ExactAuth0(Auth0OAuth2):
    """Its redirect URI as it is registered, without a parameter of its own."""
    REDIRECT_STATE = False


def user(request):
    return JsonResponse({"email": getattr(request.user, "email", None)})


def account(request):
    return request.user.social_auth.get(provider="auth0")


def orders(request):
    answer = requests.get(os.environ["AUDIENCE"] + "orders", headers={"Authorization": "Bearer " + account(request).extra_data["access_token"]})
    return JsonResponse(answer.json())


def login(request):
    return HttpResponse(f'''<form method="post" action="/login/auth0/">
        <input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}"><button>Sign in</button></form>''')


def sign_out(request):
    from django.contrib.auth import logout

    logout(request)
    return HttpResponseRedirect("/user")


urlpatterns = [
    path("user", user),
    path("orders", orders),
    path("login", login),
    path("logout", sign_out),
    path("", include("social_django.urls", namespace="social")),
]

call_command("migrate", verbosity=0)
call_command("runserver", "localhost:" + os.environ["PORT"], use_reloader=False)
