"""``dmm doctor``: what the desk needs of this machine, each thing with its cure."""

from dmm.entrypoints.doctor.report import run_doctor

__all__ = ["run_doctor"]
