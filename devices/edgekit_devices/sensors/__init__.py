"""Sensors as streams of samples: serial ports, IIO, I2C, microphones, MQTT, the standard input."""
