from django.urls import path

from portal.wire import sts

urlpatterns = [
    path("sts/", sts.sts, name="sts"),
]
