"""Datasets from files: folders of pictures, arrays, tables, COCO."""
