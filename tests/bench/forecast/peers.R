# SPDX-License-Identifier: GPL-2.0-or-later
# peers.R - R's forecast package at given origins: IN.csv OUT.csv KIND HORIZON DAY ORIGIN,ORIGIN,...
# 1-min series: the seasonal methods see 7 days, the others 2; 1-h series: 1,000 steps.
suppressMessages(library(forecast))
a <- commandArgs(TRUE)
x <- read.csv(a[1])$v
kind <- a[3]
h <- as.integer(a[4])
day <- as.integer(a[5])
origins <- as.integer(strsplit(a[6], ",")[[1]])
levels <- c(50, 80, 90)
hour <- kind == "hour"
near <- function(y) tail(y, if (hour) 2880 else 1000)
season <- function(y) ts(y, frequency = day)
fit_arima <- function(y) {
	if (hour) return(forecast(auto.arima(near(y)), h = h, level = levels))
	z <- ts(tail(y, 336), frequency = day)
	forecast(auto.arima(as.numeric(z), seasonal = FALSE, xreg = fourier(z, 4)), xreg = fourier(z, 4, h), level = levels)
}
methods <- list(
	thetaf = function(y) thetaf(if (hour) ts(tail(y, 4320)) else season(y), h = h, level = levels),
	ets = function(y) forecast(ets(if (hour) near(y) else season(y)), h = h, level = levels),
	stlf = function(y) stlf(season(y), h = h, level = levels),
	stlf_arima = function(y) stlf(season(y), h = h, level = levels, method = "arima"),
	auto.arima = fit_arima,
	tbats = function(y) forecast(tbats(if (hour) near(y) else if (length(y) > 400) msts(y, c(day, 7 * day)) else
		season(y), use.parallel = FALSE), h = h, level = levels))
at <- c("q0.05", "q0.1", "q0.25", "q0.5", "q0.75", "q0.9", "q0.95")
rows <- list()
for (name in names(methods)) for (o in origins) {
	y <- as.numeric(na.interp(x[max(1, o - if (hour) 10080 else 1000):o]))
	f <- tryCatch(methods[[name]](y), error = function(e) naive(y, h = h, level = levels))
	q <- sapply(list(f$lower[, 3], f$lower[, 2], f$lower[, 1], f$mean, f$upper[, 1], f$upper[, 2], f$upper[, 3]),
		function(v) pmax(as.numeric(v), 0))
	colnames(q) <- at
	rows[[length(rows) + 1]] <- data.frame(method = name, origin = o, step = 1:h, q, check.names = FALSE)
}
write.csv(do.call(rbind, rows), a[2], row.names = FALSE)
