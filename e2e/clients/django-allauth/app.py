"""django-allauth's OpenID Connect provider, as its "Quickstart" and "OpenID Connect" pages show it."""
import os
import tempfile

import django
import requests
from django.conf import settings
from django.core.management import call_command
from django.http import JsonResponse
from django.urls import include, path

settings.configure(
    SECRET_KEY="of this test",
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(tempfile.mkdtemp(), "app.db")}},
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend", "allauth.account.auth_backends.AuthenticationBackend"],
    LOGIN_REDIRECT_URL="/user",
    ACCOUNT_LOGOUT_REDIRECT_URL="/user",
    EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
    SOCIALACCOUNT_STORE_TOKENS=True,
    SOCIALACCOUNT_PROVIDERS={"openid_connect": {"APPS": [{
        "provider_id": "gatehouse",
        "name": "Gatehouse",
        "client_id": os.environ["CLIENT_ID"],
        "secret": os.environ["CLIENT_SECRET"],
        "settings": {"server_url": os.environ["ISSUER"]},
    }]}},
)
django.setup()


def user(request):
    return JsonResponse({"email": getattr(request.user, "email", None)})


def orders(request):
    from allauth.socialaccount.models import SocialToken

    token = SocialToken.objects.get(account__user=request.user)
    answer = requests.get(os.environ["AUDIENCE"] + "orders", headers={"Authorization": "Bearer " + token.token})
    return JsonResponse(answer.json())


urlpatterns = [path("user", user), path("orders", orders), path("accounts/", include("allauth.urls"))]

call_command("migrate", verbosity=0)
call_command("runserver", "localhost:" + os.environ["PORT"], use_reloader=False)
