"""Runnable pipelines, one file each. Files that begin with an underscore belong to the workflow whose name they carry."""
